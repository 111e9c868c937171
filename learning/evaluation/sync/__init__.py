"""Whether lips and voice belong together: our own judge, named so, beside LSE where SyncNet's weights are given."""
