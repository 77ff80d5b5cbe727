//! Jobs that wait for a server: requests to one on the loopback interface that answers after 100 ms, 150 of
//! them in flight. The limit is 1,500 a second.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use brigade::ProcessPool;
use brigade_benches::amount::{number, short};
use brigade_benches::contest::{Contest, Who};
use brigade_benches::peer::installed;
use brigade_benches::plot::{Axis, Chart, Points};
use brigade_benches::section::{Better, Section};
use brigade_benches::{server, tasks, whole_or_quick};

const IN_FLIGHT: usize = 150;
const OURS: &str = "brigade, 150 workers";

pub(crate) fn run(section: &mut Section) {
    let url = &server::start(Duration::from_millis(100));
    let jobs = whole_or_quick(4_000, 300);
    let mut contest = Contest::default();
    for (name, workers, threads) in [(OURS, 150, 1), ("brigade, 3 workers of 50 threads", 3, 50)] {
        let pool = ProcessPool::builder().workers(workers).threads_per_worker(threads).build();
        let pool = pool.expect("the pool starts");
        contest.add(name, Who::Ours, move || {
            let begin = Instant::now();
            let futures: Vec<_> =
                (0..jobs).map(|_| pool.submit(tasks::fetch(url.clone()))).collect();
            for future in futures {
                let length = future.result().expect("the server answers");
                assert_eq!(length, server::ANSWER.len());
            }
            number(jobs) / begin.elapsed().as_secs_f64()
        });
    }
    for (pool, name) in
        [("threads", "ThreadPoolExecutor, urllib"), ("executor", "ProcessPoolExecutor, urllib")]
    {
        let Some(peer) = section.peer(pool, IN_FLIGHT) else { continue };
        contest.add(format!("{} {name}", peer.version()), Who::Peer, move || {
            number(jobs) / peer.ask_one(&format!("fetch {url} {jobs}"))
        });
    }
    match (installed("xargs"), installed("curl")) {
        (Ok(xargs), Ok(curl)) => contest.add("xargs -P150 curl", Who::Peer, move || {
            // A quarter of them, because each costs the start of a program with many libraries.
            let urls = std::iter::repeat_n(url.as_str(), jobs / 4).collect::<Vec<_>>().join("\n");
            let begin = Instant::now();
            let mut child = Command::new(&xargs)
                .args(["-P150", "-n1"])
                .arg(&curl)
                .args(["--silent", "--fail", "--output", "/dev/null"])
                .stdin(Stdio::piped())
                .spawn()
                .expect("it is installed");
            let mut input = child.stdin.take().expect("it was piped");
            std::io::Write::write_all(&mut input, urls.as_bytes()).expect("it reads all of them");
            drop(input);
            assert!(child.wait().expect("it is a child").success());
            number(jobs / 4) / begin.elapsed().as_secs_f64()
        }),
        (Err(missing), _) | (_, Err(missing)) => section.note(missing.to_string()),
    }
    let rounds = contest.run(whole_or_quick(3, 1));
    let title = "Requests that are answered after 100 ms, 150 in flight (at most 1,500 a second)";
    section.compare(title, "a second", Better::More, &[OURS], &rounds);
    let axis = Axis::linear("requests a second", short).from(0.0).to(1500.0);
    let subtitle = "4,000 requests to a loopback server that answers after 100 ms, a connection each; 1,500 is the limit";
    let points = Points::of("Requests a second, 150 in flight", subtitle, axis, &rounds);
    section.plot("http", &Chart::Points(points.sorted(true)));
}
