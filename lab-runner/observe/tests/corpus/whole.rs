//! Every capture to its end, again from what was consulted, and again in two halves.

use lab_observe::{Frame, Halves, Observer, Options, Style, Table};

use crate::reference;

#[test]
fn every_capture_is_read_to_its_end_and_frames_cut_to_what_was_consulted_tell_the_same_on_the_slow_path() {
    let Some(folder) = reference::folder() else { return };
    for file in reference::captures(&folder) {
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

#[test]
fn two_halves_of_a_capture_tell_what_one_observer_tells() {
    let Some(folder) = reference::folder() else { return };
    let mut alone = Vec::new();
    for file in reference::captures(&folder) {
        let bytes = std::fs::read(&file).unwrap();
        let Ok(whole) = lab_observe::observe(&bytes, Options::default()) else { continue };
        match Halves::read([&bytes[..]; 2], &Options::default()).unwrap() {
            Some(halves) => assert_eq!(whole, halves.finish(), "{}", file.display()),
            None => alone.push(file),
        }
    }
    println!("not in halves: {alone:?}");
    // Where a bound is near, one observer has to; that must stay rare.
    assert!(alone.len() <= 3, "{alone:?}");
}

#[test]
fn two_halves_tell_the_same_of_all_captures_behind_each_other() {
    let Some(folder) = reference::folder() else { return };
    let files: Vec<_> =
        reference::captures(&folder).iter().map(|file| std::fs::read(file).unwrap()).collect();
    let frames = || files.iter().filter_map(|bytes| lab_observe::frames(bytes).ok()).flatten();
    let mut whole = Observer::new(Options::default());
    for frame in frames() {
        whole.push(frame);
    }
    let halves = || Halves::of_frames([frames(), frames()], &Options::default()).expect("no bound is near");
    let (whole, gathered, halves) = (whole.finish(), halves(), halves().finish());
    let (mut table, mut expected) = (Vec::new(), Vec::new());
    lab_observe::render_text(&whole, "all", Style::Plain, &mut expected).unwrap();
    let ([mut one, other], ended) = gathered.gather(|table: &mut Table, record| table.add(record));
    one.merge(other);
    one.write(&ended.summary, "all", Style::Plain, &mut table).unwrap();
    assert!(table == expected, "the tables differ");
    for (whole, half) in whole.flows.iter().zip(&halves.flows) {
        assert_eq!(whole, half);
    }
    assert_eq!(whole, halves);
}
