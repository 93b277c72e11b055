//! SecLang: lexer, directive tree, lowering to the rule model.
