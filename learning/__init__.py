"""What makes and judges the weights: corpus, datasets, training, evaluation. Product code does not import it
when it is itself imported."""
