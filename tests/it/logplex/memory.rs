//! The memory of dynos, from log-runtime-metrics.

use super::{MEMORY, event_of};

#[test]
fn the_dyno_is_the_source_of_the_line_whatever_the_text_says() {
    assert_eq!(event_of("heroku", "web.1", MEMORY).as_deref(), Some("269274317 of 536870912 bytes, web.1"));
}

#[test]
fn the_quota_may_be_missing() {
    let (without, _) = MEMORY.split_at(MEMORY.find(" sample#memory_quota").expect("it has one"));
    for text in [without.to_owned(), MEMORY.replace("512.00", "0.00"), MEMORY.replace("512.00", "?")] {
        assert_eq!(event_of("heroku", "worker.1", &text).as_deref(), Some("269274317 bytes, worker.1"), "{text}");
    }
}

#[test]
fn invalid_memory_is_not_an_event() {
    let load = "source=web.1 dyno=heroku.1.x sample#load_avg_1m=2.46 sample#load_avg_5m=1.06";
    assert_eq!(event_of("heroku", "web.1", load), None);
    for total in [
        "",
        "MB",
        ".5MB",
        "-1MB",
        "1",
        "1GB",
        "1MBx",
        "1M",
        "1..2MB",
        "1.2.3MB",
        "1e9MB",
        "999999999999MB",
        "\u{663}MB",
    ] {
        let text = MEMORY.replace("256.80MB", total);
        assert_eq!(event_of("heroku", "web.1", &text), None, "{total}");
    }
}

#[test]
fn large_and_small_numbers_of_megabytes_are_read() {
    for (written, bytes) in
        [("0MB", "0"), ("99999999999MB", "104857599998951424"), ("0.000000001MB", "0"), ("0.5MB", "524288")]
    {
        let expected = format!("{bytes} of 536870912 bytes, web.1");
        assert_eq!(event_of("heroku", "web.1", &MEMORY.replace("256.80MB", written)), Some(expected));
    }
}
