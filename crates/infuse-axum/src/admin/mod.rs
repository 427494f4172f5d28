//! Routes to look at circuits and to control them: [`Infuse::admin_router`](crate::Infuse::admin_router).
//!
//! A request goes through `front`, which asks `access` whether it may and gives every answer its
//! headers, and then to one of the handlers in `routes`. `control` is what changes circuits;
//! `shapes` is all JSON that leaves here, which `openapi.json` describes; `page` is what people see
//! of it in a browser; `problem` is every refusal.

mod access;
mod control;
mod front;
mod page;
mod problem;
mod router;
mod routes;
mod shapes;
