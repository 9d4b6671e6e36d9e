"""Networks on stage: what data passes on its way, drawn from the module calls of a trace."""
