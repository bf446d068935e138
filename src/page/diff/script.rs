//! From which old child each new one comes, to the fewest steps that lead from the one list to the other.

use crate::page::ops::Step;

/// Steps for a list of `old` children to become the new one: `from` says which old child each new one is, and `html` gives one that is new. Nothing where
/// each child stays where it is.
pub(super) fn script(old: usize, from: &[Option<u32>], mut html: impl FnMut(usize, &mut String)) -> Option<Vec<Step>> {
    if from.len() == old && from.iter().enumerate().all(|(at, from)| *from == Some(at as u32)) {
        return None;
    }
    let stays = longest_rise(from);
    let mut steps: Vec<Step> = Vec::new();
    let mut passed = 0;
    for (at, origin) in from.iter().enumerate() {
        match origin {
            Some(origin) if stays.as_ref().is_none_or(|stays| stays[at]) => {
                skip(&mut steps, origin - passed);
                match steps.last_mut() {
                    Some(Step::Keep(count)) => *count += 1,
                    _ => steps.push(Step::Keep(1)),
                }
                passed = origin + 1;
            }
            Some(origin) => steps.push(Step::Take(*origin)),
            None => {
                if !matches!(steps.last(), Some(Step::Insert(_))) {
                    steps.push(Step::Insert(String::new()));
                }
                if let Some(Step::Insert(new)) = steps.last_mut() {
                    html(at, new);
                }
            }
        }
    }
    skip(&mut steps, old as u32 - passed);
    Some(steps)
}

fn skip(steps: &mut Vec<Step>, count: u32) {
    if count > 0 {
        steps.push(Step::Skip(count));
    }
}

/// Which of these stay in their place while all others move around them: as many as can. Nothing where that is all of them.
fn longest_rise(from: &[Option<u32>]) -> Option<Vec<bool>> {
    if from.iter().flatten().is_sorted() {
        return None;
    }
    // For each length, the last member of the rise of that length that ends lowest, and before each its predecessor.
    let (mut ends, mut before): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), vec![None; from.len()]);
    for (at, origin) in from.iter().enumerate() {
        let Some(origin) = origin else { continue };
        let length = ends.partition_point(|&end| from[end] < Some(*origin));
        before[at] = length.checked_sub(1).map(|shorter| ends[shorter]);
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut stays = vec![false; from.len()];
    let mut next = ends.last().copied();
    while let Some(at) = next {
        stays[at] = true;
        next = before[at];
    }
    Some(stays)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a browser does with the steps.
    fn follow(old: usize, steps: &[Step]) -> Vec<Option<u32>> {
        let (mut new, mut passed) = (Vec::new(), 0);
        for step in steps {
            match step {
                Step::Keep(count) => {
                    new.extend((passed..passed + count).map(Some));
                    passed += count;
                }
                Step::Skip(count) => passed += count,
                Step::Take(at) => new.push(Some(*at)),
                Step::Insert(html) => new.extend(html.bytes().map(|_| None)),
            }
        }
        assert_eq!(passed as usize, old);
        new
    }

    fn check(old: usize, from: &[Option<u32>]) -> Vec<Step> {
        let steps = script(old, from, |_, out| out.push('x'));
        let unchanged: Vec<_> = (0..old as u32).map(Some).collect();
        assert_eq!(steps.as_deref().map_or(unchanged, |steps| follow(old, steps)), from);
        steps.unwrap_or_default()
    }

    #[test]
    fn steps_are_few() {
        use Step::{Insert, Keep, Skip, Take};
        let some = |all: &[u32]| all.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(check(3, &some(&[0, 1, 2])), []);
        assert_eq!(check(3, &[None, Some(0), Some(1), Some(2)]), [Insert("x".into()), Keep(3)]);
        assert_eq!(check(3, &some(&[0, 2])), [Keep(1), Skip(1), Keep(1)]);
        assert_eq!(check(3, &some(&[2, 0, 1])), [Take(2), Keep(2), Skip(1)]);
        assert_eq!(check(2, &[]), [Skip(2)]);
        let back = check(1_000, &(0..1_000).rev().map(Some).collect::<Vec<_>>());
        assert!(back.len() <= 1_002, "{}", back.len());
    }

    proptest! {
        #[test]
        fn steps_lead_there(order in Just((0..12u32).collect::<Vec<_>>()).prop_shuffle(), old in 0..12usize, new in proptest::collection::vec(any::<bool>(), 0..12)) {
            let kept = order.into_iter().filter(|&at| (at as usize) < old).map(Some);
            let mut from: Vec<Option<u32>> = kept.take(new.len()).collect();
            for (at, fresh) in new.iter().enumerate() {
                if *fresh { from.insert(at.min(from.len()), None); }
            }
            check(old, &from);
        }
    }
}
