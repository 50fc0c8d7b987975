/**
 * Given names that are told from other words by being written large. Bounded on purpose: whoever has another name is
 * found by how they are introduced, by a title, or by a family name that follows.
 */
const NAMES =
  "Aaron Abdul Abigail Adam Adele Adrian Agnes Ahmed Aisha Alan Albert Alejandro Alex Alexander Alexandra Alice Alicia " +
  "Alison Amanda Amber Amelia Amina Amy Ana Andre Andrea Andrew Angela Anita Ann Anna Anne Annie Anthony Antonio Arthur " +
  "Ashley Barbara Beatrice Ben Benjamin Bernard Beth Betty Beverly Bobby Brandon Brenda Brian Bruce Bryan Caleb Cameron " +
  "Carl Carla Carlos Carmen Carol Caroline Catherine Cecilia Charles Charlotte Chen Chloe Chris Christian Christina " +
  "Christine Christopher Claire Clara Connor Craig Crystal Cynthia Daniel Daniela Danielle David Deborah Delroy Denise " +
  "Dennis Derek Diana Diane Diego Dmitri Dominic Donald Donna Doris Dorothy Douglas Dylan Edith Edward Eileen Elaine " +
  "Eleanor Elena Eli Elijah Elizabeth Ella Ellen Emily Emma Eric Erica Erik Esther Ethan Eva Evelyn Fatima Felix " +
  "Fernando Fiona Frances Francisco Gabriel Gary George Gerald Gloria Gregory Hannah Harold Harriet Harry Hassan Heather " +
  "Hector Helen Henry Hiroshi Howard Hugo Ian Ibrahim Ingrid Irene Isaac Isabel Isabella Isla Ivan Jacob Jacqueline James " +
  "Jamal Jamie Jane Janet Janice Jasmine Jason Javier Jean Jeff Jeffrey Jennifer Jeremy Jessica Jesus Jill Jim Joan " +
  "Joanna Joe Joel John Jonathan Jordan Jorge Jose Joseph Joshua Joyce Juan Judith Judy Julia Julie Justin Karen Karl " +
  "Kate Katherine Kathleen Kathy Kayla Keith Kelly Kenneth Kevin Kim Kimberly Kwame Kyle Larry Laura Lauren Lawrence " +
  "Leah Leila Leo Leon Leonard Leslie Liam Linda Lisa Logan Lorraine Louis Louise Luca Lucas Lucia Lucy Luis Luke Madison " +
  "Manuel Marcus Margaret Maria Marie Marilyn Mario Marta Martha Martin Mary Mateo Matthew Megan Mei Melissa Michael " +
  "Michelle Miguel Mohammed Monica Muhammad Nadia Nancy Naomi Natalie Nathan Neil Nicholas Nicole Nikolai Nina Noah Noor " +
  "Nora Olga Oliver Olivia Omar Oscar Pablo Pamela Patricia Patrick Paul Paula Pedro Peter Philip Priya Rachel Rafael " +
  "Raj Ralph Ramon Raymond Rebecca Ricardo Richard Rita Robert Roberto Roger Ronald Rosa Roy Ruth Ryan Sam Samantha " +
  "Samir Samuel Sandra Sanjay Sara Sarah Scott Sean Sergio Sharon Shirley Simon Sofia Sophia Sophie Stephanie Stephen " +
  "Steve Steven Susan Svetlana Tariq Teresa Theresa Thomas Timothy Tina Tom Tomas Tyler Tyrone Valerie Vanessa Victor " +
  "Victoria Vincent Virginia Walter Wanda Wei William Xavier Yasmin Yolanda Yuki Yusuf Zachary Zoe";

export const GIVEN_NAMES: ReadonlySet<string> = new Set(NAMES.split(" "));
