//! Modes that someone puts on while the storage is away.

use infuse_storage::{Mode, Override, Policy, Reach, State};
use tokio::time::sleep;

use crate::{
    Faulty,
    support::{
        SECOND,
        events::Logged,
        fail_times, let_happen, rejected,
        scripted::{Gate, Verb},
        succeed, until, until_both,
    },
};

async fn lose(faulty: &Faulty) {
    faulty.script.set_all(Gate::Error);
    faulty.circuits.circuit("orders", Policy::default());
    until("the storage is lost", || faulty.is_lost()).await;
}

async fn come_back(faulty: &Faulty) {
    faulty.script.set_all(Gate::Ok);
    until("the storage is found", || !faulty.is_lost()).await;
}

fn isolated() -> Override {
    Override::new(Mode::Isolated).lasting(600 * SECOND)
}

#[tokio::test(start_paused = true)]
async fn it_is_local_is_not_replayed_and_ends_with_the_loss() {
    for gate in [Gate::Error, Gate::Never] {
        let faulty = Faulty::new().await;
        if gate == Gate::Error {
            lose(&faulty).await;
        } else {
            // It is this command that finds out.
            faulty.script.set_all(gate);
        }
        let (logged, _guard) = Logged::start();
        assert_eq!(faulty.here.set_override(Some(isolated())).await, Reach::Local);
        assert_eq!(logged.count("circuit payments is isolated for 600s"), 1);
        rejected(&faulty.here).await;
        assert_eq!(faulty.there.mode(), Mode::Enabled);
        let commands = faulty.script.count(Verb::Control);
        come_back(&faulty).await;
        sleep(3 * SECOND).await;
        assert_eq!((faulty.here.mode(), faulty.there.mode()), (Mode::Enabled, Mode::Enabled));
        assert_eq!(faulty.script.count(Verb::Control), commands);
        assert_eq!(logged.count("circuit payments is enabled again"), 1);
        succeed(&faulty.here).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_fleets_holds_during_the_loss_unless_another_is_put_on_and_again_after_it() {
    for local in [None, Some(Override::new(Mode::Disabled))] {
        let faulty = Faulty::new().await;
        assert_eq!(faulty.there.set_override(Some(isolated())).await, Reach::Fleet);
        let_happen().await;
        lose(&faulty).await;
        assert_eq!(faulty.here.mode(), Mode::Isolated);
        let mode = local.as_ref().map_or(Mode::Enabled, |over| over.mode);
        assert_eq!(faulty.here.set_override(local).await, Reach::Local);
        assert_eq!((faulty.here.mode(), faulty.there.mode()), (mode, Mode::Isolated));
        come_back(&faulty).await;
        assert_eq!(faulty.here.mode(), Mode::Isolated);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_put_on_there_meanwhile_holds_after_it() {
    let faulty = Faulty::new().await;
    lose(&faulty).await;
    assert_eq!(faulty.there.set_override(Some(isolated())).await, Reach::Fleet);
    assert_eq!(faulty.here.mode(), Mode::Enabled);
    come_back(&faulty).await;
    assert_eq!(faulty.here.mode(), Mode::Isolated);
    assert_eq!(faulty.there.set_override(None).await, Reach::Fleet);
    until("it is taken away", || faulty.here.mode() == Mode::Enabled).await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_by_itself_while_the_storage_is_away() {
    let faulty = Faulty::new().await;
    assert_eq!(faulty.there.set_override(Some(isolated())).await, Reach::Fleet);
    let_happen().await;
    lose(&faulty).await;
    faulty.fleet.clock.advance(601 * SECOND);
    assert_eq!(faulty.here.mode(), Mode::Enabled);
    succeed(&faulty.here).await;
    come_back(&faulty).await;
    assert_eq!((faulty.here.mode(), faulty.there.mode()), (Mode::Enabled, Mode::Enabled));
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_answer_is_lost_is_told_once() {
    let faulty = Faulty::new().await;
    faulty.script.next(Verb::Control, [Gate::LosesAnswer]);
    assert_eq!(faulty.here.set_override(Some(isolated())).await, Reach::Fleet);
    let_happen().await;
    assert_eq!((faulty.here.mode(), faulty.there.mode()), (Mode::Isolated, Mode::Isolated));
    assert_eq!(faulty.there.snapshot().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn an_older_one_that_is_pushed_late_changes_nothing() {
    let faulty = Faulty::new().await;
    faulty.script.lose_events(true);
    assert_eq!(faulty.there.set_override(Some(isolated())).await, Reach::Fleet);
    assert_eq!(faulty.there.set_override(None).await, Reach::Fleet);
    let_happen().await;
    fail_times(&faulty.there, 5).await;
    sleep(2 * SECOND).await;
    succeed_or_not(&faulty).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    assert_eq!(faulty.here.mode(), Mode::Enabled);
}

async fn succeed_or_not(faulty: &Faulty) {
    drop(faulty.here.call(|| async { Ok::<_, crate::support::Down>(()) }).await);
    sleep(2 * SECOND).await;
}
