use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use crate::Connection;

/// Hears all that is said to a server, for as long as it lives.
#[derive(Debug)]
pub struct Monitor {
    lines: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Monitor {
    pub(crate) async fn start(mut connection: Connection) -> Result<Self, String> {
        connection.command(&["MONITOR"]).await?;
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let task = tokio::spawn({
            let lines = Arc::clone(&lines);
            async move {
                while let Some(line) = connection.line().await {
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        Ok(Self { lines, task })
    }

    /// What it has heard so far, as Redis writes it: the time, the database, who (`lua` is a
    /// script), and the words, each in quotes.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What clients sent, so without what scripts did on their behalf.
    pub fn sent(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| !is_script(line));
        lines
    }

    /// What scripts did.
    pub fn scripted(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| is_script(line));
        lines
    }

    /// Forgets what it has heard.
    pub fn clear(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `+1700000000.000000 [0 lua] "get" "key"`
fn is_script(line: &str) -> bool {
    let who = line.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    who.is_some_and(|(who, _)| who.ends_with(" lua"))
}

#[cfg(test)]
mod tests {
    use super::is_script;

    #[test]
    fn scripts_are_told_from_clients() {
        assert!(is_script(r#"+1700000000.000000 [3 lua] "get" "key""#));
        assert!(!is_script(r#"+1700000000.000000 [3 127.0.0.1:5000] "get" "[0 lua]""#));
        assert!(!is_script("+OK"));
    }
}
