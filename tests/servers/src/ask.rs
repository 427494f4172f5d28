//! What is asked of a server, as any client could.

use std::collections::BTreeMap;

use crate::{Connection, Monitor, RedisServer, Reply, info};

impl RedisServer {
    /// A connection of one's own to it.
    ///
    /// # Errors
    ///
    /// If there is none to be had.
    pub async fn connect(&self) -> Result<Connection, String> {
        Connection::open(self.plain_port, self.built.password.as_deref()).await
    }

    /// Sends one command, on a connection of its own.
    ///
    /// # Errors
    ///
    /// What the server says is wrong with it, or why there is no answer.
    pub async fn command<W: AsRef<[u8]>>(&self, words: &[W]) -> Result<Reply, String> {
        self.connect().await?.command(words).await
    }

    /// The value of a key, if there is such a key.
    ///
    /// # Errors
    ///
    /// As those of [`command`](Self::command), here and below.
    pub async fn get(&self, key: &str) -> Result<Option<String>, String> {
        Ok(self.command(&["GET", key]).await?.text().map(str::to_owned))
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    ///
    /// If it could not.
    pub async fn set(&self, key: &str, value: &str) -> Result<(), String> {
        self.command(&["SET", key, value]).await.map(|_| ())
    }

    /// The keys that match a pattern, in order.
    ///
    /// # Errors
    ///
    /// If it could not.
    pub async fn keys(&self, pattern: &str) -> Result<Vec<String>, String> {
        let mut keys = self.command(&["KEYS", pattern]).await?.texts();
        keys.sort_unstable();
        Ok(keys)
    }

    /// A section of what it says of itself.
    ///
    /// # Errors
    ///
    /// If it could not.
    pub async fn info(&self, section: &str) -> Result<BTreeMap<String, String>, String> {
        let info = self.command(&["INFO", section]).await?;
        Ok(info::fields(info.text().unwrap_or_default()))
    }

    /// How often each command was called since the start or [`reset_stats`](Self::reset_stats),
    /// by clients and by scripts. What is asked of it here is among them.
    ///
    /// # Errors
    ///
    /// If it could not.
    pub async fn commandstats(&self) -> Result<BTreeMap<String, u64>, String> {
        Ok(info::calls(&self.info("commandstats").await?))
    }

    /// How many commands it has run since then, by clients and by scripts.
    ///
    /// # Errors
    ///
    /// If it could not.
    pub async fn commands_processed(&self) -> Result<u64, String> {
        let stats = self.info("stats").await?;
        let number = stats.get("total_commands_processed").and_then(|number| number.parse().ok());
        number.ok_or_else(|| "it does not say".to_owned())
    }

    /// Counts anew.
    ///
    /// # Errors
    ///
    /// If it could not.
    pub async fn reset_stats(&self) -> Result<(), String> {
        self.command(&["CONFIG", "RESETSTAT"]).await.map(|_| ())
    }

    /// Hears from now on all that is said to it.
    ///
    /// # Errors
    ///
    /// If it could not.
    pub async fn monitor(&self) -> Result<Monitor, String> {
        Monitor::start(self.connect().await?).await
    }
}
