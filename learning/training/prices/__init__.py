"""What the forms that the paper prints cost or gain, and what its ablations do, by short trainings of equal length."""
