//! The errors that BlueZ answers with, by their D-Bus names.

use crate::radio::watch::AttError;

/// An `org.bluez.Error.…`. The texts are those that BlueZ uses, since clients look at some of them.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.bluez.Error")]
pub(super) enum Error {
    #[zbus(error)]
    ZBus(zbus::Error),
    Failed(String),
    NotReady(String),
    InProgress(String),
    InvalidArguments(String),
    InvalidValueLength(String),
    AlreadyExists(String),
    DoesNotExist(String),
    NotConnected(String),
    NotPermitted(String),
    NotSupported(String),
    AuthenticationFailed(String),
    AuthenticationCanceled(String),
    AuthenticationTimeout(String),
    ConnectionAttemptFailed(String),
}

pub(super) type Result<T> = std::result::Result<T, Error>;

impl From<AttError> for Error {
    fn from(error: AttError) -> Self {
        match error {
            AttError::NotConnected => Self::Failed("Not connected".into()),
            AttError::NotFound => Self::Failed("Operation failed with ATT error: 0x0a".into()),
            AttError::NotPaired => Self::NotPermitted("Not paired".into()),
            AttError::NotPermitted => Self::NotSupported("Operation is not supported".into()),
            AttError::InvalidLength => Self::InvalidValueLength("Invalid Length".into()),
        }
    }
}
