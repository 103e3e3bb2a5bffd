"""The numbers of the outcomes, which the four rooms share."""

UNLABELED, CORRECT, FALSE_POSITIVE, WRONG_CLASS, FALSE_NEGATIVE = range(5)
