//! The story of a circuit, told by itself. Each step checks that what it tells is so.

use std::{error::Error, time::Duration};

use infuse_axum::{Infuse, State, config::Config, reqwest};
use tokio::time::sleep;

use crate::{
    listen, orders,
    payments::{Mode, Payments},
    show,
};

/// How long the circuit stays open, in seconds.
const RESET_TIMEOUT: u32 = 2;
/// So that a reader can follow.
const PACE: Duration = Duration::from_millis(350);

type Told = Result<(), Box<dyn Error>>;

pub(crate) async fn play() -> Told {
    let payments = Payments::start(0).await?;
    let listener = listen("ORDERS_PORT", 0).await?;
    let orders = format!("http://{}", listener.local_addr()?);
    let (app, infuse) = orders::app(payments.clone(), RESET_TIMEOUT, Config::default()).await?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let client = reqwest::Client::builder().no_proxy().build()?;
    let story = Story { orders, payments, infuse, client };
    story.tell().await?;
    story.infuse.shutdown().await;
    server.abort();
    Ok(())
}

struct Story {
    orders: String,
    payments: Payments,
    infuse: Infuse,
    client: reqwest::Client,
}

impl Story {
    async fn tell(&self) -> Told {
        show::heading("All is well");
        self.order("", 200).await?;
        self.expect(State::Closed)?;

        show::heading("payments begins to fail: five failures in a row open its circuit");
        self.payments.switch(Mode::Failing).await?;
        for _ in 0..5 {
            self.order("", 502).await?;
        }
        self.expect(State::Open)?;

        show::heading("Calls are rejected at once now, and payments is left alone");
        let before = self.payments.requests();
        for _ in 0..3 {
            self.order("", 503).await?;
        }
        check(self.payments.requests() == before, "payments was called while the circuit is open")?;

        show::heading("One call skips the breaker: it reaches payments and counts as nothing");
        self.order("?skip_breaker=true", 502).await?;
        check(self.payments.requests() == before + 1, "the call did not reach payments")?;
        self.expect(State::Open)?;

        show::heading(
            "After the reset timeout one trial call is let through; payments is slow now, and it fails",
        );
        self.wait_until_due().await?;
        self.trial(Mode::Slow, 504, State::Open).await?;

        show::heading("payments is mended; the next trial call succeeds");
        self.payments.switch(Mode::Healthy).await?;
        self.wait_until_due().await?;
        self.trial(Mode::Healthy, 200, State::Closed).await?;
        self.order("", 200).await?;

        show::heading("payments goes down altogether: that opens the circuit as well");
        self.payments.switch(Mode::Down).await?;
        for _ in 0..5 {
            self.order("", 502).await?;
        }
        self.expect(State::Open)?;
        self.order("", 503).await?;

        show::heading("And comes back");
        self.payments.switch(Mode::Healthy).await?;
        self.wait_until_due().await?;
        self.order("", 200).await?;
        self.expect(State::Closed)?;

        show::heading("That is all: `cargo run -p quickstart` lets you do it by hand");
        println!();
        Ok(())
    }

    /// Makes a call and tells what came of it.
    async fn order(&self, query: &str, status: u16) -> Told {
        let before = self.payments.requests();
        let answer = self.client.get(format!("{}/orders/7{query}", self.orders)).send().await?;
        let retry_after = answer.headers().get("retry-after").map(|seconds| {
            format!(", Retry-After: {}", String::from_utf8_lossy(seconds.as_bytes()))
        });
        let reached = match self.payments.requests() - before {
            0 => "payments saw nothing",
            _ => "payments was called",
        };
        let got = answer.status();
        show::line(&format!(
            "GET /orders/7{query}  {got}{}  {}",
            retry_after.unwrap_or_default(),
            show::faint(reached),
        ));
        check(got == status, &format!("expected {status}"))?;
        sleep(PACE).await;
        Ok(())
    }

    /// Makes the trial call, and tells that the circuit is half-open while it is under way.
    async fn trial(&self, mode: Mode, status: u16, then: State) -> Told {
        self.payments.switch(mode).await?;
        if mode == Mode::Slow {
            tokio::try_join!(self.order("", status), self.half_open())?;
        } else {
            self.order("", status).await?;
        }
        self.expect(then)
    }

    /// Waits for the circuit to be half-open: what the trial call is slow enough to show.
    async fn half_open(&self) -> Told {
        while self.state()? != State::HalfOpen {
            sleep(Duration::from_millis(5)).await;
        }
        self.expect(State::HalfOpen)
    }

    async fn wait_until_due(&self) -> Told {
        while let Some(left) = self.retry_after()?.filter(|left| !left.is_zero()) {
            show::line(&show::faint(&format!("… {:.1} s until a trial", left.as_secs_f64())));
            sleep(left.min(Duration::from_millis(700))).await;
        }
        Ok(())
    }

    fn expect(&self, state: State) -> Told {
        let now = self.state()?;
        show::line(&format!("the circuit is {}", show::state(now)));
        check(now == state, &format!("expected {state}"))
    }

    fn state(&self) -> Result<State, Box<dyn Error>> {
        Ok(self.infuse.breaker("payments")?.state())
    }

    fn retry_after(&self) -> Result<Option<Duration>, Box<dyn Error>> {
        Ok(self.infuse.breaker("payments")?.retry_after())
    }
}

fn check(so: bool, otherwise: &str) -> Told {
    if so { Ok(()) } else { Err(otherwise.into()) }
}
