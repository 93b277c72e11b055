//! Pure operator functions, shared by constant folding, the engine and the naive interpreter.
