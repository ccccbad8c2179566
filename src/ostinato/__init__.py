"""Ostinato: recurrent neural networks, whole and practical."""
