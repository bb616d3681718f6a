"""What is kept and what is decided: records, feature store, data sets, training, reports, CLI."""
