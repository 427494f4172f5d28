//! Chromium without a window, before one page.

mod chromedriver;
mod session;

pub use session::Browser;
