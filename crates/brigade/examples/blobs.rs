//! Large data: a blob is copied once each way, what is shared is in memory once for all jobs.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use brigade::{Blob, ProcessPool, Shared, task};

/// Inverts an image.
#[task]
fn invert(image: Blob) -> Blob {
    let mut pixels = Vec::from(image);
    for pixel in &mut pixels {
        *pixel = !*pixel;
    }
    pixels.into()
}

/// Counts the pixels that are as bright as this or brighter.
#[task]
fn count(image: Shared, brightness: u8) -> usize {
    image.iter().filter(|pixel| **pixel >= brightness).count()
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(4).build()?;

    let image = Blob::from(vec![1; 16 << 20]);
    let inverted = pool.submit(invert(image)).result()?;
    println!("inverted {} pixels, the first is {}", inverted.len(), inverted[0]);

    let shared = pool.share(inverted);
    let counts = pool.map((253..=255).map(|brightness| count(shared.clone(), brightness)));
    println!("{:?}", counts.collect::<Result<Vec<_>, _>>()?);
    Ok(())
}
