"""The simulated shop behind `horae.data.simulate`: its world, the walks of its users, its words and its dirt."""
