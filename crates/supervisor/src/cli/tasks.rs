//! The tasks of the worker program: the list for `--list-tasks`, and finding one by name.

use std::fmt::Write as _;

use brigade_protocol::message::TaskInfo;

use super::escape;

/// The task of this name.
///
/// # Errors
///
/// A message that names the nearest task and all there are.
pub(super) fn find<'a>(tasks: &'a [TaskInfo], name: &str) -> Result<&'a TaskInfo, String> {
    if let Some(task) = tasks.iter().find(|task| task.name == name) {
        return Ok(task);
    }
    let suggestion = nearest(tasks, name)
        .map(|nearest| format!("; did you mean {}?", escape::line(nearest)))
        .unwrap_or_default();
    let names: Vec<String> = tasks.iter().map(|task| escape::line(&task.name)).collect();
    let names = if names.is_empty() { "none at all".to_owned() } else { names.join(", ") };
    Err(format!("there is no task \"{}\"{suggestion}\n\nTasks: {names}", escape::short(name, 80)))
}

/// The task whose name is most like this one, if one is like it at all.
fn nearest<'a>(tasks: &'a [TaskInfo], name: &str) -> Option<&'a str> {
    let tolerance = 1 + name.chars().count() / 4;
    let distances = tasks.iter().map(|task| (distance(&task.name, name), &*task.name));
    distances.filter(|(distance, _)| *distance <= tolerance).min().map(|(_, name)| name)
}

/// How many characters must be inserted, deleted or replaced to make one text the other
/// (Levenshtein), row by row.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[other.len()]
}

/// One aligned line for each task: name, parameters with their types, what it does.
pub(super) fn list(tasks: &[TaskInfo]) -> String {
    let rows: Vec<[String; 3]> = tasks
        .iter()
        .map(|task| [escape::line(&task.name), signature(task), escape::line(&task.doc)])
        .collect();
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (names, signatures) = (width(0), width(1));
    let mut text = String::new();
    for [name, signature, doc] in &rows {
        let line = format!("{name:names$}  {signature:signatures$}  {doc}");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn signature(task: &TaskInfo) -> String {
    let parameters: Vec<String> = task
        .parameters
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, parameter.kind))
        .collect();
    let returns = match &*task.returns {
        "()" => String::new(),
        returns => format!(" -> {returns}"),
    };
    escape::line(&format!("({}){returns}", parameters.join(", ")))
}

#[cfg(test)]
mod tests {
    use brigade_protocol::message::ParameterInfo;

    use super::*;

    fn task(name: &str, parameters: &[(&str, &str)], returns: &str, doc: &str) -> TaskInfo {
        let parameters = parameters
            .iter()
            .map(|(name, kind)| ParameterInfo { name: (*name).into(), kind: (*kind).into() })
            .collect();
        TaskInfo { name: name.into(), parameters, returns: returns.into(), doc: doc.into() }
    }

    fn tasks() -> Vec<TaskInfo> {
        vec![
            task("sleep", &[("seconds", "f64")], "()", "Sleeps."),
            task("prime-count", &[("from", "u64"), ("to", "u64")], "u64", "Counts primes."),
        ]
    }

    #[test]
    fn an_unknown_task_gets_a_suggestion() {
        assert_eq!(find(&tasks(), "sleep").unwrap().name, "sleep");
        assert_eq!(
            find(&tasks(), "slep").unwrap_err(),
            "there is no task \"slep\"; did you mean sleep?\n\nTasks: sleep, prime-count"
        );
        assert_eq!(
            find(&tasks(), "primecount").unwrap_err(),
            "there is no task \"primecount\"; did you mean prime-count?\n\nTasks: sleep, prime-count"
        );
        assert_eq!(
            find(&tasks(), "cook").unwrap_err(),
            "there is no task \"cook\"\n\nTasks: sleep, prime-count"
        );
    }

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("sleep", "slepe"), 2);
    }

    #[test]
    fn the_list_is_aligned() {
        assert_eq!(
            list(&tasks()),
            "sleep        (seconds: f64)               Sleeps.\n\
             prime-count  (from: u64, to: u64) -> u64  Counts primes.\n"
        );
    }
}
