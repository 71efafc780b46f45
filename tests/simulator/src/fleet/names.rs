//! Names for people and machines. Everybody here is made up.

pub(super) const FIRST: [&str; 40] = [
    "Ada", "Amir", "Ana", "Anton", "Bea", "Ben", "Carla", "Chen", "Dana", "David", "Elena", "Emil",
    "Fatima", "Felix", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Jonas", "Kemal", "Lara",
    "Leo", "Lin", "Maya", "Milan", "Nadia", "Noah", "Olga", "Omar", "Paula", "Ravi", "Rosa", "Sam",
    "Sofia", "Tara", "Tomas", "Vera", "Yuki",
];

pub(super) const LAST: [&str; 40] = [
    "Adler", "Alvarez", "Bauer", "Becker", "Brandt", "Castro", "Costa", "Dubois", "Egger",
    "Fischer", "Garcia", "Haas", "Hansen", "Ito", "Jensen", "Kaya", "Keller", "Kim", "Kowal",
    "Lang", "Lopez", "Marin", "Meyer", "Moreau", "Novak", "Okafor", "Olsen", "Patel", "Peters",
    "Rossi", "Sato", "Schmid", "Silva", "Singh", "Steiner", "Tanaka", "Vogel", "Weber", "Winter",
    "Zhang",
];

pub(super) const DEPARTMENTS: [&str; 6] = [
    "Engineering",
    "Sales",
    "Finance",
    "Support",
    "People",
    "Legal",
];

/// Model and model identifier.
pub(super) const MACS: [(&str, &str); 4] = [
    ("MacBook Pro (14-inch, 2023)", "Mac14,9"),
    ("MacBook Air (M2, 2022)", "Mac14,2"),
    ("MacBook Pro (16-inch, 2021)", "MacBookPro18,1"),
    ("Mac mini (2023)", "Mac14,3"),
];

/// Manufacturer and model.
pub(super) const PCS: [(&str, &str); 4] = [
    ("LENOVO", "ThinkPad T14 Gen 4"),
    ("Dell Inc.", "Latitude 7440"),
    ("HP", "EliteBook 840 G10"),
    ("Microsoft Corporation", "Surface Laptop 5"),
];

/// Manufacturer and model of virtual machines.
pub(super) const VIRTUAL: (&str, &str) = ("VMware, Inc.", "VMware20,1");
