//! The tasks of a worker program, by id and by name.
//!
//! A [`TaskId`] is a place in the list that the program's `Hello` carries. The registry only holds
//! the list and sees to it that a name means one task; it finds no tasks and runs none.

use std::collections::HashSet;

use brigade_protocol::id::TaskId;
use brigade_protocol::message::TaskInfo;

use crate::task::Task;

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
    #[error("two tasks are named \"{name}\"; give one of them another name: #[task(name = \"…\")]")]
    Duplicate {
        /// The name.
        name: &'static str,
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
        let mut names = HashSet::with_capacity(tasks.len());
        for (index, task) in tasks.iter().enumerate() {
            if task.name.is_empty() {
                return Err(RegistryError::Unnamed { index });
            }
            if !names.insert(task.name) {
                return Err(RegistryError::Duplicate { name: task.name });
            }
        }
        Ok(Self { tasks: tasks.into() })
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

    const fn named(name: &'static str) -> Task {
        Task { name, parameters: &[], returns: "()", doc: "", entry: |_, _, _, _| Ok(()) }
    }

    static ONE: Task = named("one");
    static TWO: Task = named("two");
    static OTHER_ONE: Task = named("one");
    static UNNAMED: Task = named("");

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
        let error = Registry::new(&[&ONE, &TWO, &OTHER_ONE]).unwrap_err();
        assert_eq!(error, RegistryError::Duplicate { name: "one" });
        assert!(error.to_string().contains("\"one\""));
    }

    #[test]
    fn a_task_has_a_name() {
        let error = Registry::new(&[&ONE, &UNNAMED]).unwrap_err();
        assert_eq!(error, RegistryError::Unnamed { index: 1 });
    }
}
