"""Components that ship with mnistarena, registered through the same hooks as everybody's."""
