use super::*;

#[test]
fn a_rate_is_reached_exactly() {
    for (part, calls, threshold) in
        [(1, 10, 0.1), (3, 10, 0.3), (7, 10, 0.7), (29, 100, 0.29), (2, 3, 2.0 / 3.0), (1, 1, 1.0)]
    {
        assert!(Standing::new(part, calls, 1, threshold).is_reached(), "{part} of {calls}");
        assert!(!Standing::new(part - 1, calls, 1, threshold).is_reached());
        assert!(Standing::would_open(part, calls, 1, threshold), "{part} of {calls}");
        assert!(!Standing::would_open(part - 1, calls, 1, threshold));
        assert!(!Standing::would_open(part, calls, 1000, threshold));
    }
}

#[test]
fn too_few_calls_are_not_judged() {
    let standing = Standing::new(6, 6, 10, 0.5);
    assert!(!standing.is_reached());
    assert_eq!(standing.rate(), None);
    assert_eq!(standing.to_string(), "6 of 10 calls, not judged yet");
    assert!(!Standing::new(0, 0, 0, 0.5).is_reached());

    let standing = Standing::new(1, 3, 2, 0.5);
    assert_eq!(standing.to_string(), "33.3 % of 50 %");
}

#[test]
fn there_is_room_for_as_many_as_open_nothing() {
    for (calls, threshold) in [(100, 0.5), (7, 1.0 / 3.0), (1_000_000, 0.1), (20, 1.0), (0, 0.5)] {
        let room = Standing::room(0, calls, threshold);
        for part in 0..room.min(2000) {
            assert_eq!(Standing::room(part, calls, threshold), room - part);
        }
        // So many more open nothing, with no call beside them that is well.
        assert!(room == 0 || !Standing::new(room - 1, calls, 0, threshold).is_reached());
        let most = room.saturating_sub(1);
        assert!(!Standing::would_open(most, calls.max(most), 1, threshold), "{calls} {threshold}");
    }
    assert_eq!(Standing::room(90, 100, 0.5), 0);
}

fn snapshot(failures: Option<Standing>, slow: Option<Standing>) -> WindowSnapshot {
    WindowSnapshot {
        window: Window::Calls(100),
        counts: Counts { calls: 6, failures: 2, slow: 1 },
        failure_rate: failures,
        slow_call_rate: slow,
    }
}

const EARLY: Standing = Standing::NotJudged { calls: 6, minimum: 10 };
const LATER: Standing = Standing::Judged { rate: 0.4, threshold: 0.5 };

#[test]
fn a_window_says_in_words_where_it_stands() {
    let words = |failures, slow| snapshot(failures, slow).to_string();
    assert_eq!(words(None, None), "6 calls: 2 failed, 1 slow");
    assert_eq!(words(Some(EARLY), None), "failures: 6 of 10 calls, not judged yet");
    assert_eq!(words(None, Some(LATER)), "slow calls: 40 % of 50 %");
    assert_eq!(
        words(Some(EARLY), Some(LATER)),
        "failures: 6 of 10 calls, not judged yet; slow calls: 40 % of 50 %"
    );
}

#[cfg(feature = "serde")]
#[test]
fn a_window_serializes_to_numbers() {
    use serde_json::json;

    let window = snapshot(Some(EARLY), Some(LATER));
    let counts = json!({ "calls": 6, "failures": 2, "slow": 1 });
    assert_eq!(
        serde_json::to_value(window).unwrap(),
        json!({
            "window": { "calls": 100 },
            "counts": counts,
            "failure_rate": { "calls": 6, "minimum": 10 },
            "slow_call_rate": { "rate": 0.4, "threshold": 0.5 },
        })
    );
    let time = Window::Time(std::time::Duration::from_millis(1500));
    let window = WindowSnapshot { window: time, ..snapshot(None, None) };
    assert_eq!(
        serde_json::to_value(window).unwrap(),
        json!({
            "window": { "seconds": 1.5 },
            "counts": counts,
            "failure_rate": null,
            "slow_call_rate": null,
        })
    );
}
