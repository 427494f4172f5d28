use std::{collections::VecDeque, time::Duration};

use super::Answer;

/// What a [`TestService`](super::TestService) does, one thing after another. When a script is over,
/// the service is well: it answers as [`Answer::ok`].
///
/// ```
/// use std::time::Duration;
/// use infuse_axum::test_util::{Answer, TestService};
///
/// let payments = TestService::new();
/// payments.script(
///     Answer::status(500)
///         .times(5)
///         .then(Answer::status(503).retry_after(30).for_duration(Duration::from_secs(30)))
///         .then(Answer::stall().times(1))
///         .then(Answer::json(&["well"])),
/// );
/// ```
#[derive(Debug, Clone)]
#[must_use = "a script does nothing until it is put on"]
pub struct Script(Vec<Step>);

#[derive(Debug, Clone)]
struct Step {
    answer: Answer,
    lasts: Lasts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasts {
    Times(u64),
    For(Duration),
    Forever,
}

impl Script {
    pub(super) fn times(answer: Answer, calls: u64) -> Self {
        Self(vec![Step { answer, lasts: Lasts::Times(calls) }])
    }

    pub(super) fn for_duration(answer: Answer, time: Duration) -> Self {
        Self(vec![Step { answer, lasts: Lasts::For(time) }])
    }

    pub(super) fn forever(answer: Answer) -> Self {
        Self(vec![Step { answer, lasts: Lasts::Forever }])
    }

    /// This afterwards. An [`Answer`] without a number of times or a duration is given from then on.
    ///
    /// # Panics
    ///
    /// If it is never reached, because what is before it lasts for ever.
    #[track_caller]
    pub fn then(mut self, next: impl Into<Script>) -> Self {
        let lasts = self.0.last().map(|step| step.lasts);
        assert!(lasts != Some(Lasts::Forever), "what is before it lasts for ever: use `times`");
        self.0.extend(next.into().0);
        self
    }
}

/// From then on.
impl From<Answer> for Script {
    fn from(answer: Answer) -> Self {
        Self::forever(answer)
    }
}

/// A script that has been put on.
#[derive(Debug)]
pub(super) struct Running {
    steps: VecDeque<Step>,
    /// When the present step began.
    since: Duration,
}

impl Running {
    pub(super) fn new(script: Script, now: Duration) -> Self {
        Self { steps: script.0.into(), since: now }
    }

    /// The answer to a call that comes now.
    pub(super) fn take(&mut self, now: Duration) -> Answer {
        while let Some(step) = self.steps.front_mut() {
            match &mut step.lasts {
                Lasts::Forever => return step.answer.clone(),
                Lasts::For(time) => {
                    let ends = self.since.saturating_add(*time);
                    if now < ends {
                        return step.answer.clone();
                    }
                    self.since = ends;
                }
                Lasts::Times(0) => {}
                Lasts::Times(left) => {
                    *left -= 1;
                    if *left > 0 {
                        return step.answer.clone();
                    }
                    self.since = now;
                    let last = self.steps.pop_front();
                    return last.map_or_else(Answer::ok, |step| step.answer);
                }
            }
            self.steps.pop_front();
        }
        Answer::ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::answer::What, *};

    const SECOND: Duration = Duration::from_secs(1);

    /// The statuses of calls at these seconds.
    fn statuses(script: Script, seconds: &[u32]) -> Vec<u16> {
        let mut running = Running::new(script, SECOND);
        let status = |second: &u32| match running.take(*second * SECOND).what {
            What::Reply(reply) => reply.status.as_u16(),
            _ => 0,
        };
        seconds.iter().map(status).collect()
    }

    #[test]
    fn what_is_said_so_often_is_said_so_often() {
        let script = Answer::status(500).times(2).then(Answer::stall().times(1));
        assert_eq!(statuses(script.clone(), &[1, 1, 1, 1, 9]), [500, 500, 0, 200, 200]);
        let script = script.then(Answer::status(503));
        assert_eq!(statuses(script, &[1, 1, 1, 1, 9]), [500, 500, 0, 503, 503]);
        assert_eq!(statuses(Answer::status(500).times(0), &[1]), [200]);
    }

    #[test]
    fn what_lasts_ends_by_the_clock_whether_it_is_called_or_not() {
        let both = || {
            let script = Answer::status(500).for_duration(10 * SECOND);
            script.then(Answer::status(503).for_duration(5 * SECOND))
        };
        assert_eq!(statuses(both(), &[1, 10, 11, 15, 16]), [500, 500, 503, 503, 200]);
        // Called once, after it all.
        assert_eq!(statuses(both(), &[16]), [200]);
        // After so many calls it lasts from the last of them.
        let script = Answer::status(500).times(1).then(both());
        assert_eq!(statuses(script, &[7, 16, 17, 22]), [500, 500, 503, 200]);
    }

    #[test]
    #[should_panic(expected = "lasts for ever")]
    fn what_is_never_reached_is_a_mistake() {
        let _ = Answer::status(500).forever().then(Answer::ok());
    }
}
