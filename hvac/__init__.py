"""The domain: panels, features, models, evaluation. It knows no Ray and no HTTP."""
