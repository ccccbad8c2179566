"""From files to tensors: readers by kind, vocabularies, scalers, splits, batching."""
