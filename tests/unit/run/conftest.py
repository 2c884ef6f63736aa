from fake_bench import fake_bench

__all__ = ["fake_bench"]
