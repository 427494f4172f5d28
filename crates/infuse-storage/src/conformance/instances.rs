use std::time::Duration;

use infuse_core::State;

use super::{
    expect::{self, Verdict},
    pushes::{expect_next, watch},
    subject::{LONG, SHORT, Subject},
};
use crate::{Announcement, Instance, ProcessId, StorageError};

const ONE: ProcessId = ProcessId::from_u64(1);
const TWO: ProcessId = ProcessId::from_u64(0xfedc_ba98_7654_3210);

fn texts(all: &[Instance]) -> Vec<(ProcessId, &str)> {
    all.iter().map(|instance| (instance.process, &*instance.text)).collect()
}

/// Exactly this is said in the circuit's group.
async fn expect_said(circuit: &Subject<'_>, expected: &[(ProcessId, &str)]) -> Verdict {
    let all = circuit.instances(circuit.key.as_str()).await?;
    expect::equal("what is said", &*texts(&all), expected)
}

pub(super) async fn said(circuit: &Subject<'_>) -> Verdict {
    expect_said(circuit, &[]).await?;
    circuit.announce(circuit.saying(ONE, "one")).await?;
    circuit.pass(SHORT).await;
    circuit.announce(circuit.saying(TWO, "two")).await?;
    expect_said(circuit, &[(ONE, "one"), (TWO, "two")]).await?;
    let all = circuit.instances(circuit.key.as_str()).await?;
    let [one, two] = all.as_slice() else { return Err("two have spoken".to_owned()) };
    expect::equal("whether the first was heard so long ago", one.heard_ago >= SHORT, true)?;
    let later = one.heard_ago >= two.heard_ago + SHORT;
    expect::equal("whether the second was heard so much later", later, true)?;
    let soon = two.heard_ago < Duration::from_secs(10);
    expect::equal("whether the second was heard just now", soon, true)
}

pub(super) async fn replaced(circuit: &Subject<'_>) -> Verdict {
    circuit.announce(circuit.saying(ONE, "one, and more than later")).await?;
    circuit.pass(SHORT).await;
    for _ in 0..2 {
        circuit.announce(circuit.saying(ONE, "else")).await?;
        expect_said(circuit, &[(ONE, "else")]).await?;
    }
    Ok(())
}

pub(super) async fn groups(circuit: &Subject<'_>) -> Verdict {
    let name = circuit.key.as_str();
    let names = ["", " ", ":", "{", "}", "{}", "{a}", "a b\n", "\0", "é", "*", ":state"];
    for (number, more) in names.iter().enumerate() {
        let group = format!("{name}{more}");
        let said = Announcement::new(group, ONE, format!("{number}"), LONG);
        circuit.announce(said).await?;
    }
    for (number, more) in names.iter().enumerate() {
        let all = circuit.instances(&format!("{name}{more}")).await?;
        let expected = format!("{number}");
        expect::equal("what is said", &*texts(&all), &[(ONE, &*expected)])?;
    }
    circuit.withdraw(name, ONE).await?;
    expect_said(circuit, &[]).await?;
    let all = circuit.instances(&format!("{name} ")).await?;
    expect::equal("what is said elsewhere", &*texts(&all), &[(ONE, "1")])
}

pub(super) async fn ends(circuit: &Subject<'_>) -> Verdict {
    let mut short = circuit.saying(ONE, "one");
    short.lasting = SHORT;
    circuit.announce(short.clone()).await?;
    circuit.announce(circuit.saying(TWO, "two")).await?;
    circuit.pass(SHORT).await;
    expect_said(circuit, &[(TWO, "two")]).await?;
    // Also where all has ended.
    circuit.withdraw(circuit.key.as_str(), TWO).await?;
    circuit.announce(short).await?;
    circuit.pass(SHORT).await;
    expect_said(circuit, &[]).await
}

pub(super) async fn renewed(circuit: &Subject<'_>) -> Verdict {
    let mut short = circuit.saying(ONE, "one");
    short.lasting = 5 * SHORT;
    for _ in 0..2 {
        circuit.announce(short.clone()).await?;
        circuit.pass(3 * SHORT).await;
        expect_said(circuit, &[(ONE, "one")]).await?;
    }
    // Also for a longer time, or a shorter one.
    circuit.announce(circuit.saying(ONE, "long")).await?;
    circuit.pass(5 * SHORT).await;
    expect_said(circuit, &[(ONE, "long")]).await?;
    short.lasting = SHORT;
    circuit.announce(short).await?;
    circuit.pass(SHORT).await;
    expect_said(circuit, &[]).await
}

pub(super) async fn withdrawn(circuit: &Subject<'_>) -> Verdict {
    let group = circuit.key.as_str();
    // Nobody is there.
    circuit.withdraw(group, ONE).await?;
    circuit.announce(circuit.saying(ONE, "one")).await?;
    circuit.announce(circuit.saying(TWO, "two")).await?;
    for _ in 0..2 {
        circuit.withdraw(group, ONE).await?;
        expect_said(circuit, &[(TWO, "two")]).await?;
    }
    circuit.announce(circuit.saying(ONE, "again")).await?;
    expect_said(circuit, &[(ONE, "again"), (TWO, "two")]).await
}

pub(super) async fn any_text(circuit: &Subject<'_>) -> Verdict {
    let long = "\u{1F980}".repeat(Announcement::MOST_TEXT / 4);
    for text in ["", " ", "\0", "1:2:", "{\"a\":[1,\"b\\n\"]}\r\n", "%s%1", "swept", &long] {
        circuit.announce(circuit.saying(ONE, text)).await?;
        let all = circuit.instances(circuit.key.as_str()).await?;
        expect::equal("how many speak", all.len(), 1)?;
        if &*all[0].text != text {
            return Err(format!("a text of {} bytes is told otherwise", text.len()));
        }
    }
    Ok(())
}

pub(super) async fn too_long(circuit: &Subject<'_>) -> Verdict {
    circuit.announce(circuit.saying(ONE, "short")).await?;
    let long = circuit.saying(ONE, &"x".repeat(Announcement::MOST_TEXT + 1));
    let error = circuit.storage.announce(&long).await.err();
    let refused = matches!(error, Some(StorageError::TooLong { .. }));
    expect::equal("whether a text that is too long is refused", refused, true)?;
    expect_said(circuit, &[(ONE, "short")]).await
}

pub(super) async fn many(circuit: &Subject<'_>) -> Verdict {
    let ids: Vec<_> = (1..=200).map(ProcessId::from_u64).collect();
    for id in &ids {
        circuit.announce(circuit.saying(*id, &id.to_string())).await?;
    }
    let all = circuit.instances(circuit.key.as_str()).await?;
    let found: Vec<_> = all.iter().map(|instance| instance.process).collect();
    expect::equal("who speaks", &found, &ids)?;
    let right = all.iter().all(|instance| *instance.text == *instance.process.to_string());
    expect::equal("whether each says what is its own", right, true)
}

pub(super) async fn apart(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    circuit.announce(circuit.saying(circuit.me, "here")).await?;
    expect::equal("the generation", circuit.now().await?.generation, 0)?;
    let view = circuit.put(State::Open).await?;
    circuit.announce(circuit.saying(circuit.me, "still here")).await?;
    expect::equal("the generation", circuit.now().await?.generation, view.generation)?;
    expect_said(circuit, &[(circuit.me, "still here")]).await?;
    circuit.withdraw(circuit.key.as_str(), circuit.me).await?;
    expect::view(&circuit.now().await?, State::Open, view.generation)?;
    // Of all that only the change is told.
    expect_next(circuit, &mut *watch, &view).await?;
    let next = circuit.put(State::Closed).await?;
    expect_next(circuit, &mut *watch, &next).await
}
