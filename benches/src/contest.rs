//! Several ways of doing one thing, measured in turns.

use crate::figures::Figures;

/// Whose way it is: plots and tables tell them apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// Brigade.
    Ours,
    /// Another pool.
    Peer,
    /// What cannot be beaten, or would not be a fair rival: the bare system, or this very process.
    Limit,
}

/// Those who are to be measured, each with what one round of it gives.
pub struct Contest<'a, T> {
    entrants: Vec<(String, Who, Measure<'a, T>)>,
}

type Measure<'a, T> = Box<dyn FnMut() -> T + 'a>;

impl<T> Default for Contest<'_, T> {
    fn default() -> Self {
        Self { entrants: Vec::new() }
    }
}

impl<'a, T> Contest<'a, T> {
    /// Adds a way; its name is unique within the contest.
    pub fn add(&mut self, name: impl Into<String>, who: Who, measure: impl FnMut() -> T + 'a) {
        self.entrants.push((name.into(), who, Box::new(measure)));
    }

    /// Lets each take its turn once unmeasured, so that it has learnt what there is to learn, and then once
    /// in each round; every other round goes backwards, so that nobody always comes after the same one.
    pub fn run(mut self, rounds: usize) -> Rounds<T> {
        for (_, _, measure) in &mut self.entrants {
            measure();
        }
        let mut values: Vec<Vec<T>> = self.entrants.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            let mut turns: Vec<_> = self.entrants.iter_mut().zip(&mut values).collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for ((_, _, measure), values) in turns {
                values.push(measure());
            }
        }
        let names = self.entrants.into_iter().zip(values);
        Rounds(names.map(|((name, who, _), values)| Entrant { name, who, values }).collect())
    }
}

/// What all rounds of a contest gave.
#[derive(Clone, Debug)]
pub struct Rounds<T>(pub Vec<Entrant<T>>);

/// What all rounds of one entrant gave, in the order of the rounds.
#[derive(Clone, Debug)]
pub struct Entrant<T> {
    /// How it is called.
    pub name: String,
    /// Whose it is.
    pub who: Who,
    /// One for each round.
    pub values: Vec<T>,
}

impl<T> Rounds<T> {
    /// The entrant of this name, if it took part.
    pub fn find(&self, name: &str) -> Option<&Entrant<T>> {
        self.0.iter().find(|entrant| entrant.name == name)
    }

    /// The same rounds, each value seen as something else.
    pub fn each<U>(&self, mut part: impl FnMut(&T) -> U) -> Rounds<U> {
        let entrants = self.0.iter().map(|entrant| Entrant {
            name: entrant.name.clone(),
            who: entrant.who,
            values: entrant.values.iter().map(&mut part).collect(),
        });
        Rounds(entrants.collect())
    }
}

impl Rounds<f64> {
    /// One to the other, round by round, if both took part.
    pub fn ratio(&self, of: &str, to: &str) -> Option<Figures> {
        let pairs = self.find(of)?.values.iter().zip(&self.find(to)?.values);
        Some(Figures::new(pairs.map(|(of, to)| of / to)))
    }
}

impl Entrant<f64> {
    /// Its figures.
    pub fn figures(&self) -> Figures {
        Figures::new(self.values.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn all_take_turns_after_one_that_does_not_count() {
        let turns = RefCell::new(String::new());
        let mut contest = Contest::default();
        for name in ["a", "b"] {
            let turns = &turns;
            contest.add(name, Who::Peer, move || {
                turns.borrow_mut().push_str(name);
                f64::from(u32::try_from(turns.borrow().len()).unwrap())
            });
        }
        let rounds = contest.run(2);
        assert_eq!(*turns.borrow(), "ababba");
        assert_eq!(rounds.find("a").unwrap().values, [3.0, 6.0]);
        assert_eq!(rounds.find("b").unwrap().values, [4.0, 5.0]);
        let ratio = rounds.ratio("b", "a").unwrap();
        assert!((ratio.quantile(0.0) - 5.0 / 6.0).abs() < 1e-9);
        assert!((ratio.quantile(1.0) - 4.0 / 3.0).abs() < 1e-9);
        assert!(rounds.ratio("a", "who is not there").is_none());
    }
}
