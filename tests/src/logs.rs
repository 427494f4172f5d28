use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError},
};

use tracing_subscriber::EnvFilter;

/// What Infuse logs in this thread, from `debug` up, for as long as this lives.
///
/// A test's runtime has that thread alone, unless it was asked for more.
#[derive(Debug)]
pub struct Logs(Text);

type Text = Arc<Mutex<Vec<u8>>>;

thread_local! {
    static CAUGHT: RefCell<Option<Text>> = const { RefCell::new(None) };
}

impl Logs {
    /// Begins to catch.
    pub fn catch() -> Self {
        // One for the process, because whether a line is wanted is asked once for all threads.
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            tracing_subscriber::fmt()
                .with_env_filter(EnvFilter::new("infuse=debug"))
                .with_ansi(false)
                .without_time()
                .with_writer(|| Writer)
                .init();
        });
        let text = Text::default();
        CAUGHT.set(Some(Arc::clone(&text)));
        Self(text)
    }

    /// The lines of a level (`INFO`, `WARN`) so far.
    pub fn lines(&self, level: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&lock(&self.0)).into_owned();
        let lines = text.lines().map(str::trim_start);
        lines.filter(|line| line.starts_with(level)).map(str::to_owned).collect()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        CAUGHT.set(None);
    }
}

fn lock(text: &Text) -> MutexGuard<'_, Vec<u8>> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        CAUGHT.with_borrow(|caught| {
            if let Some(text) = caught {
                lock(text).extend_from_slice(line);
            }
        });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
