//! The collecting half of the logs.

mod level;

pub use level::level_of;
