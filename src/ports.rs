//! Every effect the operator can have on the world, on one page.
