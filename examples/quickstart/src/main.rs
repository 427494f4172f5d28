//! The main job of Infuse in one process: an app `orders` that calls a service `payments`, and
//! that service failing and recovering.
//!
//! ```sh
//! cargo run -p quickstart             # then follow what it prints
//! cargo run -p quickstart -- --demo   # the same story, told by itself
//! ```
//!
//! `orders` listens on port 3000, `payments` on 3001 (or on what `ORDERS_PORT` and
//! `PAYMENTS_PORT` say).

mod demo;
mod orders;
mod payments;
mod show;

use std::{env, error::Error, net::SocketAddr, process::ExitCode};

use tokio::net::TcpListener;

use crate::payments::Payments;

#[tokio::main]
async fn main() -> ExitCode {
    let result = match env::args().nth(1).as_deref() {
        None => serve().await,
        Some("--demo") => demo::play().await,
        Some("--help" | "-h") => {
            println!("usage: quickstart [--demo]\n\nORDERS_PORT and PAYMENTS_PORT: 3000 and 3001");
            Ok(())
        }
        Some(other) => Err(format!("unknown argument {other:?}; there is `--demo`").into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    // A line for every change of a circuit's state, and what is strange about the settings.
    tracing_subscriber::fmt().without_time().with_target(false).init();
    let payments = Payments::start(port("PAYMENTS_PORT", 3001)?).await?;
    let orders = listen("ORDERS_PORT", port("ORDERS_PORT", 3000)?).await?;
    let at = orders.local_addr()?;
    let (app, infuse) = orders::app(payments, 5, infuse_axum::load_config()?).await?;

    show::where_to_look(at);
    axum::serve(orders, app)
        .with_graceful_shutdown(async {
            // Without a handler for it, Ctrl-C ends the process anyway.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    infuse.shutdown().await;
    Ok(())
}

fn port(variable: &str, default: u16) -> Result<u16, String> {
    match env::var(variable) {
        Ok(port) => port.parse().map_err(|_| format!("{variable}={port:?} is no port")),
        Err(_) => Ok(default),
    }
}

async fn listen(variable: &str, port: u16) -> Result<TcpListener, String> {
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(at)
        .await
        .map_err(|error| format!("cannot listen on {at}: {error}; set {variable} to a free port"))
}
