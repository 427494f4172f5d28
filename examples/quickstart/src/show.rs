//! What a reader sees.

use std::{
    env,
    io::{IsTerminal, stdout},
    net::SocketAddr,
};

use infuse_axum::State;

/// Where to look and what to try.
pub(crate) fn where_to_look(orders: SocketAddr) {
    let bold = |text: &str| paint("1", text);
    println!(
        "
{title}

  orders    http://{orders}   the app: it calls payments, guarded by a circuit
  payments                          the service: healthy, failing, slow or down

{all_well}
  curl -i http://{orders}/orders/7; echo
  curl -s http://{orders}/circuits; echo

{break_it}
  curl -X POST http://{orders}/payments/failing; echo
  for i in 1 2 3 4 5; do curl -s http://{orders}/orders/7; echo; done

{open}
  curl -i http://{orders}/orders/7; echo
  curl -s http://{orders}/payments; echo

{skip}
  curl -i 'http://{orders}/orders/7?skip_breaker=true'; echo

{heal}
  curl -X POST http://{orders}/payments/healthy; echo
  sleep 5; curl -i http://{orders}/orders/7; echo

Try `slow` and `down` too. `cargo run -p quickstart -- --demo` tells the story by itself.
Ctrl-C ends it.
",
        title = bold("Infuse quickstart"),
        all_well = bold("1. All is well: the circuit is closed"),
        break_it = bold("2. Break payments: after five failures the circuit opens"),
        open = bold("3. It is open: 503 at once, with Retry-After, and payments sees no request"),
        skip = bold("4. One call may pass all the same, and counts as nothing"),
        heal = bold("5. Mend payments, wait five seconds: a trial call closes the circuit"),
    );
}

/// A state in its colour.
pub(crate) fn state(state: State) -> String {
    let colour = match state {
        State::Closed => "1;32",
        State::Open => "1;31",
        State::HalfOpen => "1;33",
    };
    paint(colour, &state.to_string().to_uppercase())
}

/// A heading.
pub(crate) fn heading(text: &str) {
    println!("\n{}", paint("1", text));
}

/// A line of the story.
pub(crate) fn line(text: &str) {
    println!("  {text}");
}

/// Something beside the story.
pub(crate) fn faint(text: &str) -> String {
    paint("2", text)
}

fn paint(code: &str, text: &str) -> String {
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if stdout().is_terminal() && !plain {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
