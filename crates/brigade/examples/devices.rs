//! A command on a list of devices: one of them does not answer, the others are not held up by it.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use brigade::{ProcessPool, task};

/// Asks a device something; a pretended one.
#[task]
fn ask(device: String, command: String) -> Result<String, String> {
    if device == "10.0.0.3" {
        return Err(format!("{device} refused the connection"));
    }
    Ok(format!("{device}# {command}: 42 interfaces are up"))
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(3).build()?;
    let devices = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
    let jobs = devices.map(|device| ask(device.to_owned(), "show ip int brief".to_owned()));
    for (device, result) in devices.iter().zip(pool.map(jobs)) {
        match result {
            Ok(answer) => println!("{answer}"),
            Err(error) => println!("{device} FAILED: {}", error.cause()),
        }
    }
    Ok(())
}
