"""BOX wire: connections to servers that several boxes speak with; what a box promises over them is in its engine."""
