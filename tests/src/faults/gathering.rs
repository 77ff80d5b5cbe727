//! Tasks that gather the results of other jobs.

use brigade_task::{Future, Job, ReturnWhen, Waited, as_completed, wait};
use brigade_worker::{Context, task};

/// Doubles the numbers below COUNT in jobs of its own, and adds the results, which it gathers in the way
/// that HOW names.
#[task(unlisted)]
pub fn gather(context: &Context, how: String, count: u64) -> Result<u64, String> {
    let jobs = (0..count).map(|x| Job::json("double", format!("[{x}]")));
    let mut submitted = jobs.clone().map(|job| context.submit(job));
    let results: Vec<String> = match &*how {
        "map" => context.map(jobs).collect::<Result<_, _>>(),
        "map-unordered" => context.map_unordered(jobs).map(|(_, result)| result).collect(),
        "as-completed" => as_completed(submitted).map(Future::result).collect(),
        "wait" => {
            let (mut pending, mut results) = (submitted.collect::<Vec<_>>(), Vec::new());
            while !pending.is_empty() {
                let waited: Waited<String> = wait(pending, ReturnWhen::FirstCompleted, None);
                results.extend(waited.done.into_iter().map(Future::result));
                pending = waited.pending;
            }
            results.into_iter().collect()
        }
        "scope" => {
            let futures =
                context.scope(|scope| jobs.map(|job| scope.submit(job)).collect::<Vec<_>>());
            futures.iter().map(|future| future.try_result().expect("it is settled")).collect()
        }
        "take" => {
            let endless = (0_u64..).map(|x| Job::json("double", format!("[{x}]")));
            let count = usize::try_from(count).expect("it is small");
            context.map(endless).take(count).collect()
        }
        _ => submitted.try_fold(Vec::new(), |mut results, future| {
            results.push(future.result()?);
            Ok(results)
        }),
    }
    .map_err(|error| error.to_string())?;
    Ok(results.iter().map(|result| result.parse::<u64>().unwrap_or(u64::MAX)).sum())
}
