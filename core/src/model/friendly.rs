//! Names for apps whose makers gave none: friendly, and different each time.

use rand::seq::IndexedRandom as _;

const FIRST: &[&str] = &[
    "amber", "brave", "bright", "calm", "clever", "coral", "crisp", "daring", "eager", "early", "gentle", "golden",
    "happy", "hidden", "jolly", "keen", "kind", "lively", "lucky", "mellow", "misty", "noble", "polar", "proud",
    "quick", "quiet", "rapid", "royal", "silent", "silver", "sunny", "swift", "tidy", "vivid", "warm", "wild", "wise",
    "young",
];
const SECOND: &[&str] = &[
    "badger", "beacon", "birch", "bridge", "brook", "canyon", "cedar", "cloud", "comet", "crane", "dawn", "dune",
    "falcon", "fern", "fjord", "forest", "glade", "harbor", "heron", "island", "lagoon", "lake", "lantern", "maple",
    "meadow", "moon", "otter", "peak", "pine", "reef", "ridge", "river", "robin", "shore", "sky", "star", "tide",
    "valley", "willow",
];

/// Such as `quiet-otter-4821`.
pub fn random() -> String {
    let mut random = rand::rng();
    let first = FIRST.choose(&mut random).copied().unwrap_or("new");
    let second = SECOND.choose(&mut random).copied().unwrap_or("app");
    format!("{first}-{second}-{:04}", rand::random::<u16>() % 10_000)
}

#[cfg(test)]
mod tests {
    use crate::model::AppSlug;

    #[test]
    fn they_are_names_an_app_can_have() {
        for _ in 0..200 {
            let name = super::random();
            assert!(name.parse::<AppSlug>().is_ok(), "{name}");
        }
    }
}
