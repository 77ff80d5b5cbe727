//! What the worker program finds around itself: its environment and its working directory.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

use super::launch::system;
use crate::error::StartError;

/// How they are to differ from this process's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// In the order in which they were asked for.
    changes: Vec<Change>,
    directory: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Change {
    Clear,
    Set(OsString, OsString),
    Remove(OsString),
}

impl Surroundings {
    pub(crate) fn set(&mut self, name: OsString, value: OsString) {
        self.changes.push(Change::Set(name, value));
    }

    pub(crate) fn remove(&mut self, name: OsString) {
        self.changes.push(Change::Remove(name));
    }

    pub(crate) fn clear(&mut self) {
        self.changes.push(Change::Clear);
    }

    pub(crate) fn run_in(&mut self, directory: PathBuf) {
        self.directory = Some(directory);
    }

    /// The command that runs this program in these surroundings.
    ///
    /// # Errors
    ///
    /// What the system would tell as if it were about the program.
    pub(super) fn command(&self, program: PathBuf) -> Result<Command, StartError> {
        let Some(directory) = &self.directory else {
            let mut command = Command::new(program);
            self.change_environment(&mut command)?;
            return Ok(command);
        };
        // A directory with a dot behind it can be looked at only by those who may enter it.
        std::fs::metadata(directory.join("."))
            .map_err(|source| StartError::Directory { directory: directory.clone(), source })?;
        // Whether a relative path begins in the old directory or the new one is left open by std.
        let program = std::path::absolute(program)
            .map_err(|error| system("find the current directory", error))?;
        let mut command = Command::new(program);
        command.current_dir(directory);
        self.change_environment(&mut command)?;
        Ok(command)
    }

    fn change_environment(&self, command: &mut Command) -> Result<(), StartError> {
        for change in &self.changes {
            match change {
                Change::Clear => command.env_clear(),
                Change::Remove(name) if is_name(name) => command.env_remove(name),
                Change::Set(name, value) if is_name(name) && !value.as_bytes().contains(&0) => {
                    command.env(name, value)
                }
                Change::Remove(name) | Change::Set(name, _) => {
                    return Err(StartError::Variable { name: name.clone() });
                }
            };
        }
        Ok(())
    }
}

fn is_name(name: &OsStr) -> bool {
    !name.is_empty() && !name.as_bytes().iter().any(|byte| matches!(byte, b'=' | 0))
}
