//! Starts a server, prints its URL, and ends it when the input ends.

use infuse_test_servers::RedisServer;
use tokio::io::{AsyncReadExt, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let redis = RedisServer::start().await;
    println!("{}", redis.url());
    stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
