//! Forms and widgets in Chromium, against pages of our own. Without Chromium the tests say so and pass.
#![cfg(feature = "browser")]

mod forms;
mod kit;
mod life;
mod sandbox;
mod site;
mod widgets;
