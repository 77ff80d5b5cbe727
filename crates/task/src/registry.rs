//! The tasks of a worker program, by id and by name.
//!
//! A [`TaskId`] is a place in the list that the program's `Hello` carries. The registry only holds
//! the list and sees to it that a name means one task; it runs none.
//!
//! The linker gathers the tasks of a program: each `#[task]` puts its own into `TASKS`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use brigade_protocol::id::TaskId;
use brigade_protocol::message::TaskInfo;

use crate::task::{Source, Task};

/// All tasks of this program but the unlisted ones, in the order in which the linker found them.
#[doc(hidden)]
#[linkme::distributed_slice]
pub static TASKS: [&'static Task];

/// All tasks that a worker program offers.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    tasks: Box<[&'static Task]>,
}

/// The tasks cannot be told apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two tasks have one name.
    #[error(
        "two tasks are named \"{name}\": one {first}, one {second}; \
         give one of them another name: #[task(name = \"…\")]"
    )]
    Duplicate {
        /// The name.
        name: &'static str,
        /// Where one of them is.
        first: Source,
        /// Where the other one is.
        second: Source,
    },
    /// A task has no name.
    #[error("task {index} of the registry has no name")]
    Unnamed {
        /// Its place, counted from zero.
        index: usize,
    },
}

impl Registry {
    /// A registry of these tasks, with ids in this order.
    pub fn new(tasks: &[&'static Task]) -> Result<Self, RegistryError> {
        let mut sources = HashMap::with_capacity(tasks.len());
        for (index, task) in tasks.iter().enumerate() {
            if task.name.is_empty() {
                return Err(RegistryError::Unnamed { index });
            }
            match sources.entry(task.name) {
                Entry::Vacant(place) => place.insert(task.source),
                Entry::Occupied(first) => {
                    let (first, second) = (*first.get(), task.source);
                    return Err(RegistryError::Duplicate { name: task.name, first, second });
                }
            };
        }
        Ok(Self { tasks: tasks.into() })
    }

    /// A registry of every `#[task]` of this program that is not `unlisted`, by name.
    ///
    /// A dependency's tasks are among them only if the program mentions the dependency, for instance
    /// by `extern crate name as _;`: what is not mentioned is not linked.
    pub fn gathered() -> Result<Self, RegistryError> {
        Self::sorted(&TASKS)
    }

    fn sorted(tasks: &[&'static Task]) -> Result<Self, RegistryError> {
        let mut tasks = tasks.to_vec();
        // Two of one name in the order of their places, so that the error is always the same.
        tasks.sort_unstable_by_key(|task| (task.name, task.source));
        Self::new(&tasks)
    }

    /// The task of this id.
    pub fn get(&self, id: TaskId) -> Option<&'static Task> {
        self.tasks.get(usize::try_from(id.0).ok()?).copied()
    }

    /// The task of this name.
    pub fn find(&self, name: &str) -> Option<&'static Task> {
        self.tasks.iter().copied().find(|task| task.name == name)
    }

    /// What the `Hello` says of the tasks, in the order of their ids.
    pub fn infos(&self) -> Vec<TaskInfo> {
        self.tasks.iter().map(|task| task.info()).collect()
    }

    /// The names of the tasks, in the order of their ids.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.tasks.iter().map(|task| task.name)
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn named(name: &'static str, line: u32) -> Task {
        let source = Source { module: "kitchen", file: "src/kitchen.rs", line };
        Task { name, parameters: &[], returns: "()", doc: "", source, entry: |_, _, _, _| Ok(()) }
    }

    static ONE: Task = named("one", 1);
    static TWO: Task = named("two", 2);
    static OTHER_ONE: Task = named("one", 3);
    static UNNAMED: Task = named("", 4);

    /// Is there by itself.
    #[crate::task(crate = crate)]
    fn gathered_by_the_linker() {}

    #[crate::task(crate = crate, unlisted)]
    fn not_gathered_by_the_linker() {}

    #[test]
    fn ids_are_places() {
        let registry = Registry::new(&[&ONE, &TWO]).unwrap();
        assert_eq!(registry.len(), 2);
        assert!(!registry.is_empty());
        assert_eq!(registry.get(TaskId(1)).map(|task| task.name), Some("two"));
        assert!(registry.get(TaskId(2)).is_none());
        let names: Vec<_> = registry.infos().into_iter().map(|info| info.name).collect();
        assert_eq!(names, ["one", "two"]);
    }

    #[test]
    fn a_name_means_one_task() {
        for tasks in [[&ONE, &TWO, &OTHER_ONE], [&OTHER_ONE, &TWO, &ONE]] {
            let error = Registry::sorted(&tasks).unwrap_err();
            assert_eq!(
                error.to_string(),
                "two tasks are named \"one\": one in kitchen (src/kitchen.rs:1), one in kitchen \
                 (src/kitchen.rs:3); give one of them another name: #[task(name = \"…\")]"
            );
        }
    }

    #[test]
    fn all_tasks_of_a_program_are_gathered_by_name() {
        let registry = Registry::gathered().unwrap();
        let names: Vec<_> = registry.names().collect();
        assert!(names.contains(&"gathered-by-the-linker"), "{names:?}");
        assert!(!names.contains(&"not-gathered-by-the-linker"), "{names:?}");
        assert!(names.is_sorted(), "{names:?}");
        let source = gathered_by_the_linker::TASK.source;
        assert_eq!((source.module, source.file), (module_path!(), file!()));
        assert!(source.line < line!());
    }

    #[test]
    fn a_task_has_a_name() {
        let error = Registry::new(&[&ONE, &UNNAMED]).unwrap_err();
        assert_eq!(error, RegistryError::Unnamed { index: 1 });
    }
}
