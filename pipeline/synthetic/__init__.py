"""A benchmark whose factors are known: generated clips, and what a model's parts hold of them."""
