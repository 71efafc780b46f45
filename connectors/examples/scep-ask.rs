//! Prints what a SCEP server tells from outside: `cargo run -p connectors --example scep-ask URL`.

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is a command")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    connectors::http::install_crypto_provider();
    let url = std::env::args().nth(1).ok_or("name the SCEP URL")?;
    let told = connectors::scep::ask(&url.parse()?).await?;
    println!("capabilities {}", told.capabilities.join(" "));
    for certificate in &told.certificates {
        println!("subject {}", certificate.subject);
        println!("sha256 {}", certificate.sha256);
        println!("expires {}", certificate.expires_at.to_rfc3339());
    }
    Ok(())
}
