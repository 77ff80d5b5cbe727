//! Eight jobs on two workers, and a picture of who ran what.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use brigade::{ProcessPool, task};

/// Works for so many tenths of a second.
#[task]
fn work(tenths: u64) {
    sleep(Duration::from_millis(100 * tenths));
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(2).build()?;
    let futures: Vec<_> = [3, 1, 1, 2, 1, 3, 1, 2].map(|tenths| pool.submit(work(tenths))).into();
    // Which worker ran a job, and when, is told with its end.
    let (tell, told) = std::sync::mpsc::channel();
    for future in &futures {
        let tell = tell.clone();
        future.on_done(move |settlement| drop(tell.send(settlement.clone())));
    }
    drop(tell);
    let mut lanes = BTreeMap::<_, Vec<_>>::new();
    for settlement in told {
        if let (Some(worker), Some(ran)) = (settlement.worker, settlement.ran) {
            lanes.entry(worker.slot).or_default().push((ran, settlement.job));
        }
    }
    let begin = lanes.values().flatten().map(|((start, _), _)| *start).min().unwrap_or_default();
    for (slot, mut jobs) in lanes {
        jobs.sort();
        let mut line = String::new();
        for ((start, end), job) in jobs {
            // A character for each fortieth of a second.
            let column = |time: Duration| (time.saturating_sub(begin).as_millis() / 25) as usize;
            line = format!("{line:<width$}[{job}", width = column(start));
            line = format!("{line:-<width$}]", width = column(end).max(line.len() + 1) - 1);
        }
        println!("worker {slot}  {line}");
    }
    Ok(())
}
