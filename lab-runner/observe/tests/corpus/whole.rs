//! Every capture to its end, and again from what was consulted.

use lab_observe::{Frame, Observer, Options};

use crate::reference;

#[test]
fn every_capture_is_read_to_its_end_and_frames_cut_to_what_was_consulted_tell_the_same_on_the_slow_path() {
    let Some(folder) = reference::folder() else { return };
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("names/pcap")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let Ok(frames) = lab_observe::frames(&bytes) else {
            println!("no capture: {}", file.display());
            continue;
        };
        let mut whole = Observer::new(Options::default());
        let mut again = Observer::new(Options::default());
        again.explain(u64::MAX);
        for frame in frames {
            let consulted = whole.push(frame);
            let cut = Frame { data: &frame.data[..consulted.0], ..frame };
            assert_eq!(again.push(cut), consulted, "{} {:?}", file.display(), frame.ts_ns);
        }
        let (whole, again) = (whole.finish(), again.finish());
        for (whole, again) in whole.flows.iter().zip(&again.flows) {
            assert_eq!(whole, again, "{}", file.display());
        }
        assert_eq!(whole, again, "{}", file.display());
    }
}
