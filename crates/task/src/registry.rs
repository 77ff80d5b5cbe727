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
///
/// ```
/// use brigade::{Job, Registry, ThreadPool, builtin};
///
/// let registry = Registry::new(&[&builtin::double::TASK, &builtin::pow::TASK])?;
/// let pool = ThreadPool::builder().workers(1).registry(registry).build()?;
/// assert_eq!(pool.submit(Job::json("pow", "[5, 2]")).result()?, "25");
/// assert!(pool.submit(Job::json("sleep", "60")).result().unwrap_err().is_refused());
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    tasks: Box<[&'static Task]>,
}

/// The tasks cannot be told apart.
///
/// ```
/// use brigade::{Registry, builtin::double};
/// use brigade_task::registry::RegistryError;
///
/// let error = Registry::new(&[&double::TASK, &double::TASK]).unwrap_err();
/// assert!(matches!(error, RegistryError::Duplicate { name: "double", .. }));
/// ```
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
    ///
    /// ```
    /// use brigade::{Registry, builtin};
    ///
    /// let registry = Registry::new(&[&builtin::double::TASK, &builtin::pow::TASK])?;
    /// assert_eq!(registry.names().collect::<Vec<_>>(), ["double", "pow"]);
    /// # Ok::<(), brigade::Error>(())
    /// ```
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
    ///
    /// ```
    /// use brigade::{Registry, task};
    ///
    /// #[task]
    /// fn tidy_up() {}
    ///
    /// #[task(unlisted)]
    /// fn hide() {}
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let registry = Registry::gathered()?;
    /// assert!(registry.find("tidy-up").is_some());
    /// assert!(registry.find("hide").is_none());
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// use brigade::{builtin, protocol::id::TaskId};
    ///
    /// assert_eq!(builtin::registry().get(TaskId(0)).map(|task| task.name), Some("command"));
    /// ```
    #[inline]
    pub fn get(&self, id: TaskId) -> Option<&'static Task> {
        self.tasks.get(usize::try_from(id.0).ok()?).copied()
    }

    /// The task of this name.
    ///
    /// ```
    /// use brigade::builtin;
    ///
    /// let pow = builtin::registry().find("pow").expect("it is there");
    /// assert_eq!(pow.parameters.len(), 2);
    /// ```
    pub fn find(&self, name: &str) -> Option<&'static Task> {
        self.tasks.iter().copied().find(|task| task.name == name)
    }

    /// What the `Hello` says of the tasks, in the order of their ids.
    ///
    /// ```
    /// use brigade::builtin;
    ///
    /// let infos = builtin::registry().infos();
    /// assert_eq!(infos[1].doc, "Doubles X, a whole number or a fraction.");
    /// ```
    pub fn infos(&self) -> Vec<TaskInfo> {
        self.tasks.iter().map(|task| task.info()).collect()
    }

    /// The names of the tasks, in the order of their ids.
    ///
    /// ```
    /// use brigade::builtin;
    ///
    /// assert!(builtin::registry().names().any(|name| name == "prime-count"));
    /// ```
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.tasks.iter().map(|task| task.name)
    }

    /// How many tasks there are.
    ///
    /// ```
    /// use brigade::{Registry, builtin::double};
    ///
    /// assert_eq!(Registry::new(&[&double::TASK])?.len(), 1);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// use brigade::Registry;
    ///
    /// assert!(Registry::default().is_empty());
    /// ```
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
