//! The radio module's rules.

use super::*;

fn ready() -> Watch {
    let mut watch = Watch::new();
    for line in ["AT+NAME=U8 Nucleus", "AT+DIS=Nucleus,U8,1.4.0", "AT+PIN=042891", "AT+BATT=87", "AT+ADV=1"] {
        assert_eq!(watch.firmware_line(line), [Effect::ToFirmware("OK".into())], "{line}");
    }
    watch
}

fn bonded() -> Watch {
    let mut watch = ready();
    watch.connect(false).unwrap();
    let (_, paired) = watch.finish_pairing(IoCapability::KeyboardDisplay, PairingProof::Passkey(42891));
    paired.unwrap();
    watch
}

fn told(text: &str) -> Vec<Effect> {
    vec![Effect::ToFirmware(text.to_owned())]
}

#[test]
fn malformed_commands_are_answered_error_and_change_nothing() {
    let mut watch = Watch::new();
    let long = format!("AT+NAME={}", "x".repeat(21));
    let endless = format!("AT+NOTIFY=FE02,{}", "00".repeat(4000));
    for line in [
        "AT",
        "AT+",
        "AT+NAME=",
        "AT+NAME=caf\u{e9}",
        "AT+DIS=a,b",
        "AT+DIS=a,b,c,d",
        "AT+PIN=12345",
        "AT+PIN=+12345",
        "AT+BATT=101",
        "AT+ADV=2",
        "AT+NOTIFY=FE02,0",
        "AT+NOTIFY=FE01,00",
        "AT+NOTIFY=FE02,\u{e9}",
        "AT+RST=1",
        long.as_str(),
        endless.as_str(),
    ] {
        assert_eq!(watch.firmware_line(line), told("ERROR"), "{line}");
    }
    assert!(watch.name().is_none() && !watch.advertises());
}

#[test]
fn a_silent_or_reset_watch_cannot_be_reached() {
    let mut watch = Watch::new();
    assert_eq!(watch.connect(false), Err(NotReachable));
    let mut watch = ready();
    watch.connect(false).unwrap();
    watch.reset();
    assert_eq!((watch.link(), watch.name(), watch.advertises()), (None, None, false));
    assert_eq!(watch.connect(false), Err(NotReachable));
}

#[test]
fn only_the_passkey_that_the_firmware_set_bonds() {
    let mut watch = ready();
    watch.connect(false).unwrap();
    let wrong = watch.finish_pairing(IoCapability::KeyboardDisplay, PairingProof::Passkey(42892));
    assert_eq!(wrong, (told("+PAIRFAIL"), Err(PairingFailed)));
    assert_eq!(watch.read(gatt::FIRMWARE_REVISION), Err(AttError::NotPaired));
    let right = watch.finish_pairing(IoCapability::KeyboardDisplay, PairingProof::Passkey(42891));
    assert_eq!(right, (told("+BOND"), Ok(())));
    assert_eq!(watch.read(gatt::FIRMWARE_REVISION), Ok(b"1.4.0".to_vec()));
}

#[test]
fn a_watch_with_a_passkey_never_just_works() {
    let mut watch = ready();
    watch.connect(false).unwrap();
    let (_, paired) = watch.finish_pairing(IoCapability::NoInputNoOutput, PairingProof::None);
    assert_eq!(paired, Err(PairingFailed));
    let mut open = Watch::new();
    open.firmware_line("AT+ADV=1");
    open.connect(false).unwrap();
    assert_eq!(open.finish_pairing(IoCapability::NoInputNoOutput, PairingProof::None).1, Ok(()));
}

#[test]
fn the_bond_survives_a_reset_and_both_sides_must_hold_it() {
    let mut watch = bonded();
    watch.reset();
    watch.firmware_line("AT+DIS=Nucleus,U8,1.5.0");
    watch.firmware_line("AT+ADV=1");
    watch.connect(true).unwrap();
    assert_eq!(watch.read(gatt::FIRMWARE_REVISION), Ok(b"1.5.0".to_vec()));
    watch.disconnect();
    watch.connect(false).unwrap();
    assert_eq!(watch.read(gatt::FIRMWARE_REVISION), Err(AttError::NotPaired));
    watch.disconnect();
    watch.firmware_line("AT+UNBOND");
    watch.connect(true).unwrap();
    assert_eq!(watch.read(gatt::FIRMWARE_REVISION), Err(AttError::NotPaired));
}

#[test]
fn writes_reach_the_firmware_and_notifications_only_a_subscriber() {
    let mut watch = bonded();
    assert_eq!(watch.write(gatt::VENDOR_COMMAND, &[1, 0x65, 0xAB]), Ok(told("+WRITE=FE01,0165AB")));
    assert_eq!(watch.write(gatt::VENDOR_COMMAND, &[0; 21]), Err(AttError::InvalidLength));
    assert_eq!(watch.write(gatt::BATTERY_LEVEL, &[1]), Err(AttError::NotPermitted));
    assert_eq!(watch.firmware_line("AT+BATT=86"), told("OK"));
    watch.subscribe(gatt::BATTERY_LEVEL, true).unwrap();
    let notified = watch.firmware_line("AT+BATT=85");
    assert_eq!(notified[1], Effect::Notified { uuid: gatt::BATTERY_LEVEL, value: vec![85] });
    assert_eq!(watch.firmware_line("AT+BATT=85"), told("OK"), "the same level again notifies nobody");
}
