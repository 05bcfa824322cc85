"""An API behind Entra ID sign-in: copy the folder, replace `routes.py`, keep the rest."""
